"""The README's table: every evaluation on the models and questions that come with the project, or lie beside it."""
