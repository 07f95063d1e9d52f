"""The timeline of agents: a Gantt chart as SVG, HTML or text."""
