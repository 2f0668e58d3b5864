/**
 * The documents of our pages. The server reads them here as well: it runs them even where it runs only what it was
 * given, so they are plain text, without anything for a script to fill in.
 */

/** What the page of a fight watches; what has to be looked up, as the countries' names, only where it is shown. */
export const SCOREBOARD = `
subscription Overlay(
  $matId: ID, $matchId: ID
  $countries: Boolean! = false, $medals: Boolean! = false, $results: Boolean! = false, $told: Boolean! = false
) {
  scoreboardChanged(matId: $matId, matchId: $matchId) {
    sentAt
    scoreboard {
      revision state number phase weight division round roundCount superiority
      outcome winnerName roundScore resultCode hasResultConflict
      clock { state remainingMs asOf }
      breakClock { state remainingMs asOf }
      injury { side clock { state remainingMs asOf } }
      challenge { side state }
      rounds { number blueScore redScore winner }
      blue { name longName countryCode score gamJeoms roundsWon background foreground }
      red { name longName countryCode score gamJeoms roundsWon background foreground }
      match {
        id
        mat { tournament { name logoUrl } }
        sides @include(if: $countries) { side athlete { country { countryName } } }
        day @include(if: $medals) { heldOn }
        medals @include(if: $medals) { kind division weight name shortName countryCode }
        fighters: sides @include(if: $results) {
          side
          athlete {
            id
            record { wins losses ties }
            matches(first: 6) {
              nodes { id phase state outcome roundScore resultCode sides { side athlete { id name shortName countryCode } } }
            }
          }
        }
        points(first: 12, orderBy: NEWEST) @include(if: $told) { nodes { kind side round clockMs event { seq } } }
        penalties(first: 12, orderBy: NEWEST, filter: {isTakenBack: false}) @include(if: $told) {
          nodes { number side round clockMs event { seq } }
        }
        challenges(first: 12, orderBy: NEWEST) @include(if: $told) { nodes { state side round clockMs event { seq } } }
      }
    }
  }
}`;

/** What the page of a goal that is practised for watches. */
export const PRACTICE = `
subscription PracticeOverlay($practiceId: ID!) {
  goalChanged(id: $practiceId) {
    goal {
      id name deadline isCompleted
      rollup { subtree { goals completed percent sessions practisedSeconds } }
    }
  }
}`;

/** What the page of a mat watches beside it: whether anybody speaks for that mat. */
export const MAT_STATUS = `
subscription OverlayMat($matId: ID!) {
  matStatusChanged(matId: $matId) { status { state } }
}`;

/** And what is recorded of it just now. */
export const RECORDINGS = `
subscription OverlayRecordings($matId: ID!) {
  recordingChanged(matId: $matId) { recordings { kind } }
}`;

/** What the page of goals watches. */
export const GOALS = `
subscription GoalOverlay($goalId: ID, $streamId: ID) {
  streamGoalChanged(goalId: $goalId, streamId: $streamId) {
    goals {
      id name unit state current target progress percent remaining
      style {
        look template fillColor fillEndColor trackColor textColor animation animationMs celebration celebrationMs
        numberFormat shownSeconds
      }
    }
    movements { delta hasReached isTest milestones { threshold label } goal { id } }
  }
}`;
