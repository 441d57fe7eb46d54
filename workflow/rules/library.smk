"""Where the files of this workflow are: beside its Snakefile, whoever includes it, from whatever folder or repository."""

import io
import os
import shutil
import sys
import tarfile
import tempfile


def own_folder():
    """Return the folder with this workflow's Snakefile, workflow/ and resources/.

    A repository that Snakemake reads file by file, as a deployed workflow does, is unpacked once for each commit into
    Snakemake's cache: the library imports its modules, and reads resources, from a folder.
    """
    rules = workflow.current_basedir
    if rules.is_local:
        return os.path.abspath(os.path.join(rules.get_path_or_uri(secret_free=True), "../.."))
    repository = rules.hosted_repo.repo
    commit = repository.commit(rules.ref).hexsha
    unpacked = workflow.sourcecache.cache_path / "lossgeometry" / commit
    if not unpacked.is_dir():
        unpacked.parent.mkdir(parents=True, exist_ok=True)
        partial = tempfile.mkdtemp(dir=unpacked.parent)
        archive = io.BytesIO()
        repository.archive(archive, commit)
        archive.seek(0)
        tarfile.open(fileobj=archive).extractall(partial, filter="data")
        try:
            os.rename(partial, unpacked)
        except OSError:  # another process was first
            shutil.rmtree(partial)
    return os.path.normpath(unpacked / rules.path / "../..")


HOME = own_folder()
# The library beside these rules, even where another copy of it is installed.
LIBRARY = f"{HOME}/workflow/scripts"
sys.path.insert(0, LIBRARY)
