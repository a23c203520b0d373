"""What patches a library or reaches into its private parts, each in a file that says for which version it was written.

Where a part does not fit the version that is installed, archlab says so in one line and goes the library's public way,
which is slower or tells less, and is as right. pyproject.toml bounds these libraries above.
"""
