"""What is watched: a subscription is declared once, as a state or as a feed, and everything else follows from that.

How one change reaches a thousand clients, in the order of the files:

1. `sources`  What a subscription's resolver returns: a `State` (how a thing is, newer replaces older) or a `Feed`
              (what happened, each entry once and in order), over topics of the bus. The decorators `state` and `feed`
              make the field of it, with `delayMs`, and `after` for a feed.
2. `watching` What a client sends becomes a `Watched`: its document, its arguments, and the key of its group.
3. `rings`    What a group keeps of what it printed: of a state the latest, of a feed the last few hundred entries.
4. `group`    All who ask the same and may see the same are one group: it listens once, executes each event once, and
              prints it once. A client is no more than a place in its group's ring, so a slow one costs nothing; who
              falls out of the ring of a feed is told so, with the cursor to go on from.
5. `states`   How a group watches a state: whoever comes is shown how it stands.
6. `feeds`    How a group follows a feed: whoever comes is given what he has missed.
7. `groups`   The groups of one server, and how one enters them.

The doors know none of this but `Groups.enter` and what a `Reader` gives them.
"""
