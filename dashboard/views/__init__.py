"""One module per page; each has `render(ctx)`. A view is one query call, layout and one command call."""
