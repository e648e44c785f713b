"""The app that Flower's SuperLink starts: `flwr run targets/flower`."""

from flwr.app import Context
from flwr.serverapp import Grid, ServerApp

from .fleet import Fleet
from .settings import read_settings

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Options are context.run_config. A Refusal ends the run as failed; its sentence is the run's detail in `flwr list`."""
    Fleet(grid, read_settings(dict(context.run_config))).run()
