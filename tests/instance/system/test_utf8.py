"""UTF-8 mode where the locale has another encoding."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from orchd.instance.system import utf8

BARE = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"}


def test_a_process_with_utf_8_paths_is_not_re_executed() -> None:
    utf8.ensure()
    assert utf8.output_encoding() is None


def test_output_is_in_the_encoding_of_the_locale(tmp_path: Path) -> None:
    program = (
        "from orchd.instance.system import utf8; utf8.ensure(); "
        "from orchctl.terminal import console; console.prepare(utf8.output_encoding())"
    )
    script = tmp_path / "show.py"
    script.write_text(
        f"{program}; import sys; console.print_line('ü'); console.ask('ü'); print(sys.stdout.encoding, ascii(sys.argv))"
    )
    environment = {**BARE, "PYTHONIOENCODING": "latin-1"}
    process = subprocess.run([sys.executable, script, b"\xfc"], env=environment, capture_output=True, check=True)
    assert process.stdout == b"\xfc\niso8859-1 " + ascii([str(script), "\udcfc"]).encode() + b"\n"
    process = subprocess.run([sys.executable, script], env=BARE, capture_output=True, check=True)
    assert (process.stdout.split(b"\n")[0], process.stderr) == (b"?", b"\\xfc")
