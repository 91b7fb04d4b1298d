/* SPDX-License-Identifier: MIT */
/* Which of the user's rules a connection matches. */
#pragma once
#include "maps.h"

static __always_inline int selected(const struct config *c, __u16 port)
{
	return c->ports[port >> 3] >> (port & 7) & 1;
}

static __always_inline int within(const struct addr *a, const struct addr *net, const struct addr *mask)
{
	return !(((a->w[0] & mask->w[0]) ^ net->w[0]) | ((a->w[1] & mask->w[1]) ^ net->w[1]) |
		 ((a->w[2] & mask->w[2]) ^ net->w[2]) | ((a->w[3] & mask->w[3]) ^ net->w[3]));
}

struct endpoints {
	struct addr client, server;
	__u32 bank, count, port;
};

/* The first rule that matches: its index, forward << 8 and settings << 16, or -1. A function of its own, so that it is verified once. */
__noinline int match_rule(const struct endpoints *e)
{
	if (!e)
		return -1;
	__u32 bank = e->bank & 1;
	const struct rules *rules = bpf_map_lookup_elem(&rule_banks, &bank);

	if (!rules)
		return -1;
	for (__u32 i = 0; i < MAX_RULES; i++) {
		if (i >= e->count)
			break;
		const struct rule *r = &rules->rule[i];

		if (e->port >= r->lo && e->port <= r->hi && within(&e->client, &r->from, &r->from_mask) &&
		    within(&e->server, &r->to, &r->to_mask))
			return r->settings << 16 | r->forward << 8 | r->index;
	}
	return -1;
}

static __always_inline int rule_for(const struct config *c, const struct addr *client, const struct addr *server,
				    __u16 port, __u32 generation)
{
	if (!selected(c, port))
		return -1;
	__u32 bank = generation & 1;
	struct endpoints e = {
		.client = *client, .server = *server, .bank = bank, .count = c->rule_count[bank], .port = port
	};

	return match_rule(&e);
}
