"""One module per section of the report: each turns a NightResult into what its template draws."""
