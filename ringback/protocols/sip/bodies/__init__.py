"""Bodies of SIP messages, one module for each format: parsed into frozen values, written as readers in use expect them.

Every ``parse`` takes bytes and raises BodyError and nothing else; every module names its ``CONTENT_TYPE``.
"""
