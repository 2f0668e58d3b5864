"""UDP listeners, the times they listened, and who sent to them."""
