// Package redis is a Broker over Redis or Valkey: the nodes of a cluster publish and subscribe there, and keep a
// registry of those that live. It works with one server, with sentinels, and with a Redis Cluster, from Redis 6.2 on
// (7.0 for a Cluster) and Valkey.
//
// Nothing is stored but the registry, revocations, claims, who is present, and the history that Node.Retain asks for:
// what is published else while a node is cut off, that node misses, and it is told so.
//
// DESIGN.md has its guarantees and trade-offs.
//
// # Order
//
// Without a Cluster all nodes get everything in one order. In a Cluster each partition has one, and what is published
// for a target stays within its partition.
//
// # Rights
//
// An ACL user needs, for the prefix lineman:
//
//	ACL SETUSER lineman on >SECRET resetchannels &lineman.* resetkeys ~lineman.* -@all
//	    +subscribe +unsubscribe +publish +eval +ping +time
//	    +hget +hset +hdel +hgetall +hscan +pexpire +client|info +client|kill +pubsub|numsub
//
// and in a Cluster +ssubscribe +sunsubscribe +spublish +cluster|slots +cluster|shards +pubsub|shardnumsub. One of
// sentinels needs +sentinel|get-master-addr-by-name. With history a user needs
// besides
//
//	+evalsha +script|load +get +set +del +hmget +hincrby +rpush +lpop +ltrim +lrange +lindex +llen +persist +pttl
//
// and with presence
//
//	+evalsha +script|load +hmget +hincrby +hlen +exists +sadd +srem +smembers +srandmember
//
// Without client|info and client|kill it works, but the server takes a node whose machine died to be there until its
// own keep-alive finds out, and what concerns that node is answered late. Without pubsub|numsub nobody is told that a
// node is missing whose connection the server has lost.
package redis
