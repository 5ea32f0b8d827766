/* SPDX-License-Identifier: MIT */
/*
 * HTTPS with certificates of clients: tells who asks, as their certificate says.
 *
 *     whoami --listen 127.0.0.1:8443,tls --tls-cert server.pem --tls-key server.key \
 *         --tls-client-ca people.pem --tls-client optional
 *     curl --cacert ca.pem --cert alice.pem https://localhost:8443/
 */
#include <spout/spout.h>

static void
whoami(struct spout_request *req)
{
	const struct spout_certificate *client = spout_request_certificate(req);

	spout_json_pack(req, "{sbsssssi}", "secure", spout_request_secure(req), "address",
	    spout_remote_addr(req), "name", client != NULL ? client->subject : "",
	    "worker", (int)spout_worker_number());
}

static const struct spout_route routes[] = { SPOUT_GET("/", whoami), SPOUT_END };

int
main(int argc, char **argv)
{
	return spout_main(
	    argc, argv, &(struct spout_app){ .name = "whoami", .routes = routes });
}
