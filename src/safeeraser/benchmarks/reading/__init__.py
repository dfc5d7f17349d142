"""What all readers share: path-safe file access, fields of records, tables, and problems with their places."""
