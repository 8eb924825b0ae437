"""What a night looks like: report.html, summary.json, the Parquet tables, and the archive that renders it
again."""
