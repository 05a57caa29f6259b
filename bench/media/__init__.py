"""What a relayed call and a party of a conference cost, beside rtpengine and Janus in the same run."""
