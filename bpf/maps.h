/* SPDX-License-Identifier: MIT */
/* What the programs remember, and where they count. src/engine/layout.ts reads and writes the same. */
#pragma once
#include "layout.h"
#include "packet.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct config);
} config SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct rules);
} rule_banks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 131072);
	__type(key, struct flow_key);
	__type(value, struct handshake);
} handshakes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 100000);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct flow_key);
	__type(value, struct flow);
} flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, COUNTERS);
	__type(key, __u32);
	__type(value, __u64);
} counters SEC(".maps");

/* TCP options by kind that made a flow unsupported, and behind them what an IP header may hold: forwarded.byOption. */
#define OPTION_IPV4 256
#define OPTION_IPV6 257
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 258);
	__type(key, __u32);
	__type(value, __u64);
} unsupported SEC(".maps");

/* Of datagrams in fragments that belong to a taken flow: the first fragment alone names the ports. */
struct fragment_key {
	struct addr src, dst;
	__u32 id;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct fragment_key);
	__type(value, __u32);
} fragments SEC(".maps");

/* Work space. What is read back from a map is an unknown number to the verifier, which keeps its states few. */
struct scratch {
	__u8 options[64]; /* of a SYN or SYN-ACK; zero behind their end */
	__u8 as_sent[40];
	__u32 at; /* where the next option begins */
	__u8 blank; /* the option that lies here is being overwritten */
	__u8 answer; /* it is a SYN-ACK */
	__u8 foreign; /* kind of an option that two ordinary sockets cannot carry */
	__u8 indispensable; /* of one that must not be left out, either */
	struct side parsed;
	struct handshake fresh;
	struct packet packet; /* of a fragment: the stack is too small for it */
	struct fragment_key fragment;
};

#define PROTO_FRAGMENT 44
#define TCP_AE 0x100 /* RFC 9768; in the byte before the other flags */
#define ACC_ECN (TCP_AE | TCP_CWR | TCP_ECE)
#define OPTION_ACC_ECN 172
/* Less cannot be told to a socket (TCP_MIN_MSS of the kernel), and whoever sends in smaller pieces hurts himself. */
#define LEAST_MSS 88

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct scratch);
} scratches SEC(".maps");

static __always_inline void count(__u32 which)
{
	__u64 *n = bpf_map_lookup_elem(&counters, &which);

	if (n)
		(*n)++;
}
