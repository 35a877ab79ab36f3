"""M-Bus and wM-Bus (EN 13757), OMS security: octets in, values out.

Below: `crc`, `link`, `chips`, `ell`, `afl`, `tpl`, `security`, put together in `telegram` (reading) and `telegram_plan`
(writing). Above: `records` with `dif`, `vif`, `dates`, `compact_frame`, `compact_profile`. Errors: `errors.MbusError`.
"""
