"""What every room may use: errors, files, random streams, and the wish to stop."""
