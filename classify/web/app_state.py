"""What the routes of one service share, with its types."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from classify.labels.label_watch import LabelWatch
    from classify.web.answers.playlist_server import PlaylistTarget
    from classify.web.answers.slow_answers import SlowAnswers
    from classify.web.answers.taste_reports import TasteReports
    from classify.web.counters import Metrics
    from classify.web.kept_process import KeptProcess
    from classify.web.live.event_stream import EventStream
    from classify.web.live.label_queue import LabelQueue, TasteTraining
    from classify.web.live.live_library import LiveLibrary
    from classify.web.live.scan import Scan
    from classify.web.live.served_folders import ServedFolders
    from classify.web.live.slow_lane import SlowLane
    from classify.web.settings import ServiceSettings
    from classify.web.sound.covers import SongCover
    from classify.web.sound.file_findings import FileFindings
    from classify.web.sound.song_loudness import Loudness
    from classify.web.sound.spectrograms import Spectrogram
    from classify.web.tastes.taste_folder import TasteFolder
    from classify.web.uploads.upload_queue import UploadQueue
    from classify.web.watching.served_watch import ServedWatch

__all__ = ["AppState", "state_of"]


@dataclass(frozen=True, kw_only=True, eq=False)
class AppState:
    """The parts of a service; `classify.web.app.create_app` makes them, and closes them at the end.

    A label goes from `routes.songs` to `label_queue`, from there to `training`, which writes the
    file of labels, has the taste learnt and gives both to `library`. An upload goes from
    `routes.uploads` to `uploads`, whose process decodes and scores it.

    Attributes
    ----------
    settings : ServiceSettings
        What the service was told when it started.
    metrics : Metrics
        What it counts.
    library : LiveLibrary
        Songs and tastes as they are now.
    slow_answers : SlowAnswers
        Explanations, suggestions, evaluations and playlists.
    slow_lane, study_lane : SlowLane
        Requests that take seconds wait in these; learning and evaluating have one of their own.
    training : TasteTraining
        Labels written, and tastes learnt from them.
    label_queue : LabelQueue
        Requests that change labels wait here, and are learnt together.
    uploads : UploadQueue
        The process that hears uploads, and who waits for it.
    playlist_target : PlaylistTarget or None
        The music server that playlists can be saved to.
    song_files : KeptProcess
        The process that opens songs' files for the next ones.
    spectrograms, loudness, covers : FileFindings
        What it has found in them: their sound as pictures, how loud they are, and their covers.
    reports : TasteReports
        The process that writes reports, and the last ones.
    folders : ServedFolders
        What may be scanned.
    scan : Scan
        The scan of the served folders.
    watch : ServedWatch
        Has what comes into these folders scanned, where that is asked for.
    label_watch : LabelWatch
        Has commands follow labels and scans, where some are named.
    events : EventStream
        What changes, for whoever listens.
    taste_folder : TasteFolder
        Makes, renames and removes tastes.
    """

    settings: ServiceSettings
    metrics: Metrics
    library: LiveLibrary
    slow_answers: SlowAnswers
    slow_lane: SlowLane
    study_lane: SlowLane
    training: TasteTraining
    label_queue: LabelQueue
    uploads: UploadQueue
    playlist_target: PlaylistTarget | None
    song_files: KeptProcess
    spectrograms: FileFindings[Spectrogram]
    loudness: FileFindings[Loudness]
    covers: FileFindings[SongCover]
    reports: TasteReports
    folders: ServedFolders
    scan: Scan
    watch: ServedWatch
    label_watch: LabelWatch
    events: EventStream
    taste_folder: TasteFolder


def state_of(app: Any) -> AppState:
    """Return the parts of a service from its application; for a request, that is `request.app`."""
    return cast("AppState", app.state.parts)
