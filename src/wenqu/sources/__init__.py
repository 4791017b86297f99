"""Where files come from when it is not a folder of this machine: the web, and git repositories."""
