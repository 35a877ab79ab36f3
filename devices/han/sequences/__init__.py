"""What people's programs do at a home interface, call by call in their order, written from han 2.4, 3.3 and 4.2.

A sequence depends on the very names, ids, status codes and tokens that its program depends on; what a program would
stumble over is `NotUnderstood`. `programs.PROGRAMS` names them all.
"""
