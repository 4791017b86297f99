"""``python -m wenqu``: the command line, where its script is not on the path."""

from wenqu.cli.main import run

if __name__ == "__main__":
    run()
