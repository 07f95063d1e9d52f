"""The timeline of agents as a Gantt chart."""
