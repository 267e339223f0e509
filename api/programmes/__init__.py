"""Programmes on the wire: the programme and its units, its sponsors, its charter with objectives."""

from api.programmes import charters, programmes, sponsors

PARTS = (programmes, sponsors, charters)
