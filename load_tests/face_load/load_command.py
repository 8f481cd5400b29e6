"""`make load`: a short load, summed up."""

from face_bench import progress
from face_bench.machine import Machine
from face_load.arguments import Arguments
from face_load.documents import CHECKOUT, show, write_json, write_markdown
from face_load.load_report import LoadReport, tables
from face_load.measure import measure
from face_load.outcomes import REJECTED
from face_load.summary import by_request
from face_server import EmbeddedTriton, Settings

# Users start a hundred a second; more makes locust complain.
SPAWN_RATE = "100"


def load(args: Arguments) -> bool:
    """Whether all went well: errors other than rejections of a full queue are none."""
    progress.say(f"starting the server, networks: {args.networks}")
    settings = Settings(networks=args.networks, bounded_queue=args.bounded_queue)
    with EmbeddedTriton(CHECKOUT / "model_repository", settings) as triton:
        what, options, warm_up, seconds = _load(args)
        progress.say(what)
        files = ("--html", str(args.out / "report.html"), "--csv", str(args.out / "locust"))
        measured = measure(triton, args.out / "load", (*options, *files, *args.locust), warm_up, seconds)
    end = measured.summary.seconds + warm_up
    report = LoadReport(
        machine=Machine.here(CHECKOUT),
        load=" ".join((what, *args.locust)),
        models=triton.models,
        summary=measured.summary,
        by_request=by_request(measured.run.samples, warm_up, end),
        use=measured.use,
        generator_cores=measured.generator_cores,
    )
    write_json(report, args.out / "summary.json")
    write_markdown("Load test", report.machine, [report.load], tables(report), args.out / "summary.md")
    show([], tables(report))
    names = ("summary.md", "summary.json", "report.html", "locust_stats.csv", "load_requests.csv")
    progress.say("written: " + ", ".join(str(args.out / name) for name in names))
    return not set(report.summary.errors) - {REJECTED}


def _load(args: Arguments) -> tuple[str, tuple[str, ...], float, float | None]:
    """In words, as options of locust, seconds to leave out, seconds to measure (None: to the end)."""
    rate = ("--rate", f"{args.rate:g}")
    each = f"{args.rate:g} requests a second each" if args.rate else "one request after the other"
    if args.stages:
        return f"users as {args.stages}, {each}", ("--stages", args.stages, *rate), 0.0, None
    total = round(args.warm_up + args.seconds)
    options = ("--users", str(args.users), "--spawn-rate", SPAWN_RATE, "--run-time", f"{total}s", *rate)
    return f"{args.users} users, {each}, {total} s", options, args.warm_up, total - args.warm_up
