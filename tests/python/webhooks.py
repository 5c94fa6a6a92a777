"""A receiver of webhooks that takes the library of Standard Webhooks: it says where it listens, and of each message whether
the library takes it for verified, as one JSON text per line."""

import json
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

secret = None


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        try:
            payload = Webhook(secret).verify(body, dict(self.headers))
            said = {"verified": True, "type": payload["type"], "name": payload["data"]["opportunity"]["name"]}
        except WebhookVerificationError as error:
            said = {"verified": False, "why": str(error)}
        print(json.dumps(said), flush=True)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", 0), Receiver)
print(server.server_address[1], flush=True)
secret = sys.stdin.readline().strip()
server.serve_forever()
