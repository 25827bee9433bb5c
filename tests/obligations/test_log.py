from leadglass.obligations.log import Log, LogParams
from leadglass.obligations.treatment import PageRow, Verdict
from support.matches import placed


def test_changes_nothing() -> None:
    rows = [PageRow("1.1", {"a": 1}, 0)]
    log = Log(LogParams(note="watched since the audit"))
    for target in ("/dicom-web/studies", "/dicom-web/studies/1.2"):
        assert log.fits(placed(target))
    assert log.apply(rows, Verdict(), placed("/dicom-web/studies")) is rows
