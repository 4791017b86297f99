"""The command line. ``main`` holds the commands' names; one file each does their work."""
