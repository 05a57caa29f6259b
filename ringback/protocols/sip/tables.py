"""The four transaction machines of RFC 3261 section 17, with the accepted states of RFC 6026, as tables.

A table maps (state, input) to (next state, actions in order). What stands in no table changes nothing: it is a
retransmission that nobody needs or an answer that comes too late. The diagrams in the documentation are made from
these.
"""

from __future__ import annotations

from typing import Final

Table = dict[tuple[str, str], tuple[str, tuple[str, ...]]]

# Inputs: 1xx, 2xx, final (300 to 699), timer A ..., error (nothing can be sent)
# Actions: send, resend, arm A ..., disarm, tell (the response to the user), ack, time_out, fail, forget

INVITE_CLIENT: Final[Table] = {
    ("calling", "1xx"): ("proceeding", ("disarm", "tell")),
    ("calling", "2xx"): ("accepted", ("disarm", "arm_m", "tell")),
    ("calling", "final"): ("completed", ("disarm", "ack", "arm_d", "tell")),
    ("calling", "timer A"): ("calling", ("resend", "arm_a")),
    ("calling", "timer B"): ("terminated", ("time_out", "forget")),
    ("calling", "error"): ("terminated", ("fail", "forget")),
    ("proceeding", "1xx"): ("proceeding", ("tell",)),
    ("proceeding", "2xx"): ("accepted", ("arm_m", "tell")),
    ("proceeding", "final"): ("completed", ("ack", "arm_d", "tell")),
    ("proceeding", "error"): ("terminated", ("fail", "forget")),
    ("completed", "final"): ("completed", ("ack",)),
    ("completed", "timer D"): ("terminated", ("forget",)),
    ("completed", "error"): ("terminated", ("forget",)),
    ("accepted", "2xx"): ("accepted", ("tell",)),  # RFC 6026: another fork, or a retransmission to acknowledge again
    ("accepted", "timer M"): ("terminated", ("forget",)),
}

CLIENT: Final[Table] = {
    ("trying", "1xx"): ("proceeding", ("tell",)),
    ("trying", "2xx"): ("completed", ("disarm", "tell", "arm_k")),
    ("trying", "final"): ("completed", ("disarm", "tell", "arm_k")),
    ("trying", "timer E"): ("trying", ("resend", "arm_e")),
    ("trying", "timer F"): ("terminated", ("time_out", "forget")),
    ("trying", "error"): ("terminated", ("fail", "forget")),
    ("proceeding", "1xx"): ("proceeding", ("tell",)),
    ("proceeding", "2xx"): ("completed", ("disarm", "tell", "arm_k")),
    ("proceeding", "final"): ("completed", ("disarm", "tell", "arm_k")),
    ("proceeding", "timer E"): ("proceeding", ("resend", "arm_e")),
    ("proceeding", "timer F"): ("terminated", ("time_out", "forget")),
    ("proceeding", "error"): ("terminated", ("fail", "forget")),
    ("completed", "timer K"): ("terminated", ("forget",)),
}

# Inputs: request (a retransmission), ACK, send 1xx, send 2xx, send final, timers, error
INVITE_SERVER: Final[Table] = {
    ("proceeding", "request"): ("proceeding", ("resend",)),
    ("proceeding", "send 1xx"): ("proceeding", ("send",)),
    ("proceeding", "send 2xx"): ("accepted", ("send", "arm_l")),
    ("proceeding", "send final"): ("completed", ("send", "arm_g", "arm_h")),
    ("proceeding", "error"): ("proceeding", ()),
    ("completed", "request"): ("completed", ("resend",)),
    ("completed", "timer G"): ("completed", ("resend", "arm_g")),
    ("completed", "timer H"): ("terminated", ("forget",)),
    ("completed", "error"): ("terminated", ("forget",)),
    ("completed", "ACK"): ("confirmed", ("disarm", "arm_i")),
    ("confirmed", "timer I"): ("terminated", ("forget",)),
    ("accepted", "send 2xx"): ("accepted", ("send",)),  # RFC 6026: its user retransmits
    ("accepted", "timer L"): ("terminated", ("forget",)),
}

SERVER: Final[Table] = {
    ("trying", "send 1xx"): ("proceeding", ("send",)),
    ("trying", "send 2xx"): ("completed", ("disarm", "send", "arm_j")),
    ("trying", "send final"): ("completed", ("disarm", "send", "arm_j")),
    ("trying", "timer F"): ("terminated", ("forget",)),  # too late for any answer (RFC 4320)
    ("proceeding", "request"): ("proceeding", ("resend",)),
    ("proceeding", "send 1xx"): ("proceeding", ("send",)),
    ("proceeding", "send 2xx"): ("completed", ("disarm", "send", "arm_j")),
    ("proceeding", "send final"): ("completed", ("disarm", "send", "arm_j")),
    ("proceeding", "timer F"): ("terminated", ("forget",)),
    ("completed", "request"): ("completed", ("resend",)),
    ("completed", "error"): ("terminated", ("forget",)),
    ("completed", "timer J"): ("terminated", ("forget",)),
}
