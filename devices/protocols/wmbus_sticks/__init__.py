"""What wM-Bus sticks say on their serial lines: one framing per file, octets in, messages out (lmn-wireless 5)."""
