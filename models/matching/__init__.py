"""How a face is cut out and how RGB and NIR are judged together: every form that was tried, measured on people held out."""
