"""Errors in German: the parts of messages that the tools for meters may have to show, and how they read in German.

Devices and codecs speak English, in one place each. A message is made of such parts; what is not known here stays as
it is, so that nothing is lost.
"""

from __future__ import annotations

import re
from typing import Final

_PARTS: Final[tuple[tuple[str, str], ...]] = (
    # what was typed
    (
        r"the key of the type plate is missing and nobody can be asked",
        "der Schlüssel vom Typenschild fehlt, und niemand kann gefragt werden",
    ),
    (r"three times no key", "dreimal kein Schlüssel"),
    (
        r"--skip-key-check reads the log without it",
        "--skip-key-check liest das Logbuch ohne ihn",
    ),
    (r"\(--key, --scan or --skip-key-check\)", "(--key, --scan oder --skip-key-check)"),
    (r"no key was given", "kein Schlüssel angegeben"),
    (
        r"a key has (\d+) hexadecimal digits, this one has (\d+)",
        r"ein Schlüssel hat \1 hexadezimale Ziffern, dieser hat \2",
    ),
    (
        r"; a key has (\d+) of them, and in a scan it stands behind AC",
        r"; ein Schlüssel hat \1 davon, in einem Scan hinter AC",
    ),
    (r" \(a zero\?\)", " (eine Null?)"),
    (r" \(a one\?\)", " (eine Eins?)"),
    (r"(\S+) at digit (\d+) is no hexadecimal digit", r"\1 an Stelle \2 ist keine hexadezimale Ziffer"),
    (r"the scan holds (\d+) different keys behind AC", r"der Scan enthält \1 verschiedene Schlüssel hinter AC"),
    (
        r"(\d+) characters are no key, a scan has at most (\d+)",
        r"\1 Zeichen sind kein Schlüssel, ein Scan hat höchstens \2",
    ),
    (r"(\S+) is no meter id", r"\1 ist keine Zähler-Id"),
    (
        r"a device number as 1SAG0021061001, or a server id in hex",
        "eine Gerätenummer wie 1SAG0021061001 oder eine Server-Id in Hex",
    ),
    (
        r"--state is the memory of an emulated meter \(use it with --port emulated\)",
        "--state ist das Gedächtnis eines emulierten Zählers (nur mit --port emulated)",
    ),
    (r"--port (\S+) is the terminal of this program itself", r"--port \1 ist das Terminal dieses Programms selbst"),
    (
        r"--port emulated is for updatelog and update-meter \(a new pseudo-terminal is 'pty'\)",
        "--port emulated gibt es nur bei updatelog und update-meter (ein neues Pseudo-Terminal heißt 'pty')",
    ),
    (r"--meters and (--\w+) together", r"--meters und \1 zugleich"),
    (r"write it into the file", "in die Datei schreiben"),
    (r"(\S+) and (\S+) are the same meter (\S+): each has its own id", r"\1 und \2 sind derselbe Zähler \3"),
    (r"a replay needs a dump", "ein Zähler, der abspielt, braucht einen Mitschnitt"),
    # files
    (r"cannot be read", "ist nicht lesbar"),
    (r"is a folder, a file is wanted", "ist ein Ordner, gebraucht wird eine Datei"),
    (r"is a file, a folder is wanted", "ist eine Datei, gebraucht wird ein Ordner"),
    (r"--save-all takes a folder", "einen Ordner nimmt --save-all"),
    (r"(--\S+) and (--\S+) name the same file (.*): each has its own", r"\1 und \2 nennen dieselbe Datei \3"),
    (r"cannot be written", "lässt sich nicht schreiben"),
    (r"cannot be used", "ist nicht brauchbar"),
    (r"No such file or directory", "Datei oder Ordner gibt es nicht"),
    (r"Permission denied", "keine Berechtigung"),
    (r"Is a directory", "ist ein Ordner"),
    (r"Not a directory", "ist kein Ordner"),
    (r"No space left on device", "kein Platz mehr auf dem Datenträger"),
    (r"a printout is a \.txt or a \.html file", "ein Ausdruck ist eine .txt- oder .html-Datei"),
    (
        r"a log as the Log Reader or 'updatelog read --save-log' saves it",
        "ein Logbuch, wie es der Log Reader oder 'updatelog read --save-log' speichert",
    ),
    (r"it can be verified, but not printed", "prüfen lässt es sich, drucken nicht"),
    (r"the reading time (\S+) is no time", r"die Auslesezeit \1 ist keine Zeit"),
    (
        r"has (\d+) hexadecimal digits instead of (\d+)",
        r"hat \1 hexadezimale Ziffern statt \2",
    ),
    (r"(\d+) hexadecimal digits instead of (\d+)", r"\1 hexadezimale Ziffern statt \2"),
    (r"\(at octet (\d+)\)", r"(bei Oktett \1)"),
    (r"(\d+) octets are no update log", r"\1 Oktette sind kein Update-Logbuch"),
    (r"\bline (\d+)", r"Zeile \1"),
    (r"begins no known part of a log", "beginnt keinen bekannten Teil eines Logbuchs"),
    (r"has no meaning here", "hat hier keine Bedeutung"),
    (r"this is missing", "das fehlt"),
    (r"this is there twice, with two values", "das steht zweimal da, mit zwei Werten"),
    (
        r"stands behind the end of the log, where no signature covers it; take it out",
        "steht hinter dem Ende des Logbuchs, wo keine Signatur es deckt; herausnehmen",
    ),
    (
        r"the entry (.*) stands in front of the log; entries belong behind their heading",
        r"der Eintrag \1 steht vor dem Logbuch; Einträge gehören hinter ihre Überschrift",
    ),
    (r"this is JSON and not a saved log", "das ist JSON und kein gespeichertes Logbuch"),
    (r"give the \.txt that --save-log or --save-all wrote", "die .txt angeben, die --save-log oder --save-all schrieb"),
    (r"this part is there twice; one log in one file", "dieser Teil steht zweimal da; ein Logbuch je Datei"),
    (r"behind the signature", "hinter der Signatur"),
    (
        r"another process plays this meter; end it or name another folder",
        "ein anderer Prozess spielt diesen Zähler; ihn beenden oder einen anderen Ordner nennen",
    ),
    (r"is in use: ", "ist belegt: "),
    (r"no state of this meter", "kein Zustand dieses Zählers"),
    (r"delete it for a new meter", "löschen für einen neuen Zähler"),
    # images
    (
        r"nobody can be asked whether to activate the firmware",
        "niemand kann gefragt werden, ob die Firmware aktiviert werden soll",
    ),
    (r"--yes activates it unasked", "--yes aktiviert sie ungefragt"),
    (r"a file of (\d+) octets is no firmware", r"eine Datei mit \1 Oktetten ist keine Firmware"),
    (
        r"no image of application firmware: it does not begin with SBZI",
        "keine Firmware-Datei: sie beginnt nicht mit SBZI",
    ),
    (
        r"an image of (\d+) octets, the header alone has (\d+)",
        r"eine Firmware-Datei mit \1 Oktetten, der Kopf allein hat \2",
    ),
    (r"the image is not complete: (\d+) of (\d+) octets", r"die Firmware-Datei ist unvollständig: \1 von \2 Oktetten"),
    (r"--unchecked leaves the judgement to the meter", "--unchecked überlässt das Urteil dem Zähler"),
    (
        r"only a higher version can be loaded: (\S+) is not higher than (\S+)",
        r"nur ein höherer Stand kann geladen werden: \1 ist nicht höher als \2",
    ),
    (r"--allow-downgrade leaves that to the meter", "--allow-downgrade überlässt das dem Zähler"),
    # ports
    (r"serial port (\S+) does not exist", r"die serielle Schnittstelle \1 gibt es nicht"),
    (r"serial port (\S+) cannot be opened", r"die serielle Schnittstelle \1 lässt sich nicht öffnen"),
    (r"serial port (\S+)", r"die serielle Schnittstelle \1"),
    (r"this computer has no serial port", "dieser Rechner hat keine serielle Schnittstelle"),
    (r"Ports here: ", "Schnittstellen hier: "),
    (r"did you mean ([^()]+?)\?", r"gemeint \1?"),
    (
        r"is in use by another program; end it or name another port",
        "wird von einem anderen Programm benutzt; es beenden oder eine andere nennen",
    ),
    (
        r"permission denied; add the user to its group \(often dialout\)",
        "keine Berechtigung; den Benutzer in ihre Gruppe aufnehmen (oft dialout)",
    ),
    (r"(\S+) is no serial port", r"\1 ist keine serielle Schnittstelle"),
    (r"the other end or the adapter is gone", "die Gegenseite oder der Adapter ist weg"),
    (r"the adapter is gone", "der Adapter ist weg"),
    (
        r"the bench is no longer on the meter's bus, look at adapter and cable",
        "keine Verbindung mehr zum Bus des Zählers, Adapter und Kabel prüfen",
    ),
    (
        r"the meters are no longer on the gateway's bus, look at adapter and cable",
        "die Zähler sind nicht mehr am Bus des Gateways, Adapter und Kabel prüfen",
    ),
    # meters
    (r"no meter answers at ", "kein Zähler antwortet an "),
    (
        r"is it supplied, is the gateway unplugged, are A and B the right way round\?",
        "ist er versorgt, ist das Gateway abgesteckt, sind A und B richtig herum?",
    ),
    (r"the chosen meter does not answer; there are: ", "der gewählte Zähler antwortet nicht; es gibt: "),
    (r"several meters answer: ", "mehrere Zähler antworten: "),
    (r"choose with --id or --address", "mit --id oder --address wählen"),
    (r"meter ([0-9A-F]+) at address ([0-9A-F]{2})", r"Zähler \1 an Adresse \2"),
    (r"(\S+) at address ([0-9A-F]{2})", r"\1 an Adresse \2"),
    (r"only a SMARTY BZ-PLUS v2 has this service", "nur ein SMARTY BZ-PLUS v2 hat diesen Dienst"),
    (r"the meter does not take the connection", "der Zähler nimmt die Verbindung nicht an"),
    (r"the meter does not answer", "der Zähler antwortet nicht"),
    (r"the meter has no answer", "der Zähler hat keine Antwort"),
    (r"the meter refuses: ", "der Zähler lehnt ab: "),
    (r"the meter does not come to an end", "der Zähler kommt zu keinem Ende"),
    (
        r"the meter has not come back after its restart",
        "der Zähler ist nach seinem Neustart nicht wiedergekommen",
    ),
    (r"the meter's answer cannot be read", "die Antwort des Zählers ist nicht lesbar"),
    (r"no answer to (\w+), sent (\d+) times", r"keine Antwort auf \1, \2-mal gesendet"),
)
_RULES: Final = tuple((re.compile(english), german) for english, german in _PARTS)


def in_german(message: str) -> str:
    """`message` with all that is known of it in German."""
    for rule, german in _RULES:
        message = rule.sub(german, message)
    return message
