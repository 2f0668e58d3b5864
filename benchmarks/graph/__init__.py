"""The graph under load: Ringside beside its peers, over one data set, on one machine."""
