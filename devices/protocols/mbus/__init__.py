"""M-Bus and wM-Bus (EN 13757), OMS security: link, layers, records; octets in, values out."""
