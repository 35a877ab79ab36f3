"""`smgw-bench decode`: explains captured octets. `source` reads the file; `sml`, `hdlc` and `wmbus` say what is in
it."""
