"""Any report, packet by packet: its headers in order, and each packet's body as stored or as rendered from recorded facts."""
