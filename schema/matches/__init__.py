"""How a competition is shown, asked for, changed and watched."""
