"""The data room: figures, what was known when, configuration, run folders. Importing it loads nothing."""
