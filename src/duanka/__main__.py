"""`python -m duanka`: the command line."""

from duanka.cli.main import main

if __name__ == "__main__":
    main()
