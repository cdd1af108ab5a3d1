"""Reading documents from a folder: the ones that the product ships, or somebody's own."""

from pathlib import Path

from pipeline.masterdata.documents import Document, invalid, read_document
from pipeline.masterdata.master import MasterData

SHIPPED = Path(__file__).resolve().parent / "data"


def read_folder(folder: Path = SHIPPED) -> list[Document]:
    """Every JSON file below the folder as a document, in the order of paths.

    Raises SDCRS_INVALID_MASTER_DATA for a file that is not a document, lies in another module's folder, or says again
    what an earlier one said.
    """
    documents: list[Document] = []
    seen: dict[tuple[str, str, str], str] = {}
    for path in sorted(folder.rglob("*.json")):
        source = path.relative_to(folder).as_posix()
        document = read_document(path.read_text(encoding="utf-8"), source)
        top = source.split("/")[0]
        if top != document.module:
            raise invalid(source, "moduleName", f"is {document.module!r}, but the file lies in the folder {top!r}")
        identity = (document.tenant_id, *document.key)
        if identity in seen:
            raise invalid(source, document.master, f"was already given for {document.tenant_id} in {seen[identity]}")
        seen[identity] = source
        documents.append(document)
    if not documents:
        raise invalid(str(folder), "(folder)", "holds no master data")
    return documents


def load_folder(folder: Path = SHIPPED) -> MasterData:
    """The folder's master data without a database, checked as a whole; every version is 0."""
    return MasterData(read_folder(folder))
