"""The command line: the only code that parses arguments, prints, and exits."""
