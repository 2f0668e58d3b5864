"""Every door: HTTP, WebSocket, UDP, pages and the command line."""
