// Package graph is the one definition of the late-join critic for GoMLX: it runs on every backend that core/backend opens, and
// gradients flow through it.
//
//	LateJoin, Geometry   build the graph from Weights; training and inference share them
//	Open, Critic         a checkpoint and a backend as a critic.Critic
//
// core/model/latejoin computes the same with its own kernels, several times faster on a CPU; tests hold the two to each other. The
// package stands beside it, above core/backend and core/model/checkpoint.
package graph
