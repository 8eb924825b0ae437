"""One reader per publisher layout: from a file to series in the publisher's units. Importing it loads
nothing."""
