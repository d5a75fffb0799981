"""What the claims about speed rest on: inputs made by code, measurements anyone can repeat."""
