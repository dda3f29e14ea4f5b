"""Where the HTML of estimators links to: to their pages, once these are published."""

from itertools import takewhile

import sklearn_dsh

# The folder of the built pages, as "https://.../"; None while they are published nowhere.
ADDRESS = None


class DocumentationLink:
    """Mixin, before `BaseEstimator`, which asks for these three."""

    _doc_link_module = "sklearn_dsh"

    @property
    def _doc_link_template(self):
        return "" if ADDRESS is None else ADDRESS + "generated/{page}.html"

    def _doc_link_url_param_generator(self):
        """The page, which has the name by which the API reference lists the class."""
        name = type(self).__name__
        if name in sklearn_dsh.__all__:
            return {"page": f"sklearn_dsh.{name}"}
        public = takewhile(lambda part: part[0] != "_", type(self).__module__.split("."))
        return {"page": ".".join([*public, name])}
