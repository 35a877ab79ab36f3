"""An emulated gateway as a program of its own, in real time: configuration, data folder, history, control socket."""
