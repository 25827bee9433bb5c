"""The only importer of `cryptography`: every signature, key and certificate is made and checked in this package.

Time is always an argument here, algorithms come in named profiles, and a failure is one opaque exception whose cause
is for the record alone.
"""
