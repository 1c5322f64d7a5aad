"""The towers in TensorFlow, as its documentation would write them: tf.nn.embedding_lookup_sparse for the learners,
tf.sparse.sparse_dense_matmul for the courses, Keras Dense layers and Adam, one tf.function."""
import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np
import tensorflow as tf

import peer

tf.config.threading.set_intra_op_parallelism_threads(peer.threads)
tf.config.threading.set_inter_op_parallelism_threads(1)
tf.random.set_seed(1)


class Tower(tf.Module):
    def __init__(self):
        self.table = tf.Variable(tf.random.normal((peer.courses, peer.WIDTH), stddev=peer.WIDTH ** -0.5))
        self.bias = tf.Variable(tf.zeros(peer.WIDTH))
        self.layers = tf.keras.Sequential(
            [tf.keras.layers.ReLU(), tf.keras.layers.Dense(peer.HIDDEN, "relu"),
             tf.keras.layers.Dense(peer.EMBEDDING)])
        self.layers.build((None, peer.WIDTH))

    def __call__(self, rows):
        return self.layers(tf.sparse.sparse_dense_matmul(rows, self.table) + self.bias)

    def variables_(self):
        return [self.table, self.bias, *self.layers.trainable_variables]


def sparse(row, column, value, count):
    return tf.SparseTensor(np.stack([row, column], 1), value, (count, peer.courses))


learner_tower, course_tower = Tower(), Tower()
course_bias = tf.Variable(tf.zeros(peer.courses))
rows = sparse(np.repeat(np.arange(peer.courses), np.diff(peer.row_offsets)), peer.row_columns, peer.row_values,
              peer.courses)
variables = [*learner_tower.variables_(), *course_tower.variables_(), course_bias]
rate = float(os.sys.argv[7]) if peer.mode == "train" else 1e-3
optimizer = tf.keras.optimizers.Adam(rate)
random = np.random.default_rng(1)
pair = tf.TensorSpec((None, 2), tf.int64)


@tf.function(input_signature=[tf.SparseTensorSpec((None, peer.courses), tf.float32), pair, pair,
                              tf.TensorSpec((None,), tf.float32), tf.TensorSpec((), tf.float32)])
def softmax_step(learners, excluded, labels, weights, size):
    with tf.GradientTape() as tape:
        logits = tf.matmul(learner_tower(learners), course_tower(rows), transpose_b=True) + course_bias
        logits = tf.tensor_scatter_nd_update(logits, excluded, tf.fill([tf.shape(excluded)[0]], -1e30))
        log_p = tf.gather_nd(tf.nn.log_softmax(logits), labels)
        loss = -tf.reduce_sum(log_p * weights) / size
    optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables))
    return loss


@tf.function(input_signature=[tf.SparseTensorSpec((None, peer.courses), tf.float32), pair,
                              tf.TensorSpec((None,), tf.float32), tf.TensorSpec((), tf.float32)])
def sampled_step(learners, pairs, target, size):
    with tf.GradientTape() as tape:
        u, v = tf.gather(learner_tower(learners), pairs[:, 0]), tf.gather(course_tower(rows), pairs[:, 1])
        logits = tf.reduce_sum(u * v, 1) + tf.gather(course_bias, pairs[:, 1])
        loss = tf.reduce_sum(tf.nn.sigmoid_cross_entropy_with_logits(target, logits)) / size
    optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables))
    return loss


def step(batch):
    learners = sparse(batch.context_row, batch.context, batch.context_weight, batch.size)
    if peer.loss == "softmax":
        return softmax_step(
            learners, tf.constant(np.stack([batch.context_row, batch.context], 1)),
            tf.constant(np.stack([batch.label_row, batch.label], 1)), tf.constant(batch.label_weight),
            tf.constant(float(batch.size))).numpy()
    negative, negative_row = batch.negatives(random)
    pairs = np.stack([np.concatenate([batch.label_row, negative_row]), np.concatenate([batch.label, negative])], 1)
    target = np.zeros(len(pairs), "f4")
    target[:len(batch.label)] = 1
    return sampled_step(learners, tf.constant(pairs), tf.constant(target), tf.constant(float(batch.size))).numpy()


def embeddings(courses, starts, weights):
    row = np.searchsorted(starts, np.arange(len(courses)), side="right") - 1
    learners = tf.sparse.reorder(sparse(row, courses, weights, len(starts)))
    return learner_tower(learners).numpy(), course_tower(rows).numpy(), course_bias.numpy()


peer.run(step, embeddings)
