from __future__ import annotations

import json

# The page without a build: the same sources, and their libraries from one CDN. Versions are exact; they and the digests
# are those that GraphiQL publishes for use from this CDN (examples/graphiql-cdn in github.com/graphql/graphiql), so the
# set is known to work together. No digest is published for graphql-ws, Monaco and the workers: they are pinned by version.
ORIGIN = "https://esm.sh"

_GRAPHIQL = f"{ORIGIN}/graphiql@5.2.4?standalone&external=react,react-dom,@graphiql/react,graphql"
_GRAPHIQL_REACT = f"{ORIGIN}/@graphiql/react@0.37.7?standalone&external=react,react-dom,graphql,@graphiql/toolkit,@emotion/is-prop-valid"
_GRAPHIQL_TOOLKIT = f"{ORIGIN}/@graphiql/toolkit@0.12.1?standalone&external=graphql"
_STYLE = f"{ORIGIN}/graphiql@5.2.4/dist/style.css"
_STYLE_DIGEST = "sha384-TFpQQKp325U5sd3PddH4cS0KOB3Gz/aqdEe12Mqkkq3wm2MGcDhRX5WhWf+o8akh"

IMPORT_MAP = json.dumps(
    {
        "imports": {
            "#workers": "./static/workers-cdn.js",
            "react": f"{ORIGIN}/react@19.2.7",
            "react/": f"{ORIGIN}/react@19.2.7/",
            "react-dom": f"{ORIGIN}/react-dom@19.2.7",
            "react-dom/": f"{ORIGIN}/react-dom@19.2.7/",
            "graphiql": _GRAPHIQL,
            "@graphiql/react": _GRAPHIQL_REACT,
            "@graphiql/toolkit": _GRAPHIQL_TOOLKIT,
            "graphql": f"{ORIGIN}/graphql@17.0.2",
            "graphql-ws": f"{ORIGIN}/graphql-ws@6.4.2?standalone&external=graphql",
            "monaco-editor/": f"{ORIGIN}/monaco-editor@0.52.2/",
            "monaco-graphql/": f"{ORIGIN}/monaco-graphql@1.9.0/",
            "@emotion/is-prop-valid": "data:text/javascript,",  # optional in a library that asks for it all the same
        },
        "integrity": {
            f"{ORIGIN}/react@19.2.7": "sha384-LO2cBox9zBA6AOWqno07582eanOcJxJyu4hwf3rg5CrZQ/XoPtgSAFlL6ezpFK0O",
            f"{ORIGIN}/react-dom@19.2.7": "sha384-upKKG1ShVOSXNAoNmdKSl8xWJl9L8fZ05Ki1rHXpPijT4hIS/FFh+88dxk72+jre",
            _GRAPHIQL: "sha384-n1sWmquV8wXH/vbn5Q8BaQAw8iAFku5zAs2fPBrht0L/OP4/qgZWL/v/WhMLFPBH",
            _GRAPHIQL_REACT: "sha384-U8awo9eG6M8scx4fjis/pNfYja4d5EtxOFYcmvDGG8K4Rt/bGB6Km1hxbQXZr9qH",
            _GRAPHIQL_TOOLKIT: "sha384-+cNTwZgIW33q7A4E+ZoCMqzcXdfVIc2VthQvJ0uDpRXERBWYuDKPVMzvdQU8x48o",
            f"{ORIGIN}/graphql@17.0.2": "sha384-IPvlcmnvWT91sKqwbg9MxPXJUuPmSdwXCp22x6hcbBkAEhlfSKkMLR3v19K9iRUp",
        },
    },
    indent=2,
)

ASSETS = f"""<link rel="stylesheet" href="{_STYLE}" integrity="{_STYLE_DIGEST}" crossorigin="anonymous" />
    <link rel="stylesheet" href="static/page.css" />
    <script type="importmap">{IMPORT_MAP}</script>
    <script type="module" src="static/main.js"></script>"""

# Without the network no script of the page runs, so the page itself has to say what to do.
LOADING = f"""Loading GraphiQL from {ORIGIN}, because the page was not built here. If it does not appear, there is no way to
    {ORIGIN}: install Node 20 or later, run <code>npm ci &amp;&amp; npm run build</code> in web/, and start again."""
