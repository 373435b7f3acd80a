// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "eddy/models/adversarial.h"
#include "eddy/models/text_model.h"

namespace eddy {

/// Class scores f32[batch, classes] from the pooled states of the encoder (both directions' when bidirectional):
/// [linear, relu,] [dropout,] linear. Parameters "classifier/hidden/{w,b}",
/// "classifier/output/{w,b}". tokens and mask as in encode_tokens(). All functions here throw GraphError, as those of
/// text_model.h; losses are f32[], in nats.
Value text_classifier(ParameterStore& store, const TextModelConfig& config, Value tokens, Value mask, Mode mode,
                      SourceLocation where = SourceLocation::current());

/// The same from embedded tokens f32[time, batch, embedding_size] (see embed_tokens).
Value classify_embedded(ParameterStore& store, const TextModelConfig& config, Value embedded, Value mask, Mode mode,
                        SourceLocation where = SourceLocation::current());

/// Mean cross entropy of labels i32[batch] over the rows with a weight; `row_weights` f32[batch]. With `adversarial`
/// plus the loss of perturbed texts that it asks for: rows without label have row weight 0, yet virtual adversarial
/// training learns from them too. Perturbed are the embeddings after dropout, and what else is dropped of a text is the
/// same with the perturbation as without (but between the layers of a deeper encoder).
Value classifier_loss(ParameterStore& store, const TextModelConfig& config, Value tokens, Value mask, Value labels,
                      Value row_weights, Mode mode, const AdversarialConfig& adversarial = {},
                      SourceLocation where = SourceLocation::current());

/// Linear label gain (Dai & Le 2015, section 3): the label is predicted at every step, with weight i / (n - 1) at step
/// i of n. `step_weights` f32[time, batch] are those weights (see label_gain_sequence). One-directional.
Value label_gain_loss(ParameterStore& store, const TextModelConfig& config, Value tokens, Value mask, Value labels,
                      Value step_weights, Mode mode, SourceLocation where = SourceLocation::current());

/// Joint training (Dai & Le 2015, section 4): classifier loss plus `unsupervised_weight` times the language-model or
/// autoencoder loss of the same rows. Rows without label have row weight 0.
enum class UnsupervisedTask { language_model, autoencoder };
Value joint_loss(ParameterStore& store, const TextModelConfig& config, Value tokens, Value mask, Value labels,
                 Value row_weights, UnsupervisedTask task, float unsupervised_weight, Mode mode,
                 const AdversarialConfig& adversarial = {}, SourceLocation where = SourceLocation::current());

}  // namespace eddy
