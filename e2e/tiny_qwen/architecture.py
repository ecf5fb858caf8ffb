"""The shape of the tiny Qwen: what config.json says, and the weights that follow from it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Architecture:
    """Sizes of a Qwen2 decoder.

    Four heads over 256 give a head of 64, the smallest that vLLM's CPU attention takes: with 16
    the engine process dies at the first request.
    """

    vocab_size: int
    hidden: int = 256
    intermediate: int = 512
    layers: int = 2
    heads: int = 4
    kv_heads: int = 2
    positions: int = 2048
    rope_theta: float = 1000000.0

    @property
    def head_dim(self) -> int:
        """Width of one attention head."""
        return self.hidden // self.heads

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Every weight of the model by its Hugging Face name, in a fixed order."""
        kv = self.kv_heads * self.head_dim
        shapes: dict[str, tuple[int, ...]] = {
            "model.embed_tokens.weight": (self.vocab_size, self.hidden)
        }
        for layer in range(self.layers):
            at = f"model.layers.{layer}"
            shapes |= {
                f"{at}.input_layernorm.weight": (self.hidden,),
                f"{at}.self_attn.q_proj.weight": (self.hidden, self.hidden),
                f"{at}.self_attn.q_proj.bias": (self.hidden,),
                f"{at}.self_attn.k_proj.weight": (kv, self.hidden),
                f"{at}.self_attn.k_proj.bias": (kv,),
                f"{at}.self_attn.v_proj.weight": (kv, self.hidden),
                f"{at}.self_attn.v_proj.bias": (kv,),
                f"{at}.self_attn.o_proj.weight": (self.hidden, self.hidden),
                f"{at}.post_attention_layernorm.weight": (self.hidden,),
                f"{at}.mlp.gate_proj.weight": (self.intermediate, self.hidden),
                f"{at}.mlp.up_proj.weight": (self.intermediate, self.hidden),
                f"{at}.mlp.down_proj.weight": (self.hidden, self.intermediate),
            }
        shapes["model.norm.weight"] = (self.hidden,)
        return shapes


def config(
    shape: Architecture, *, end_of_text: int, end_of_turn: int, dtype: str = "float32"
) -> dict[str, object]:
    """config.json of the model; `dtype` is what its weights are stored in."""
    return {
        "architectures": ["Qwen2ForCausalLM"],
        "attention_dropout": 0.0,
        "bos_token_id": end_of_text,
        "eos_token_id": end_of_turn,
        "hidden_act": "silu",
        "hidden_size": shape.hidden,
        "initializer_range": 0.02,
        "intermediate_size": shape.intermediate,
        "max_position_embeddings": shape.positions,
        "max_window_layers": shape.layers,
        "model_type": "qwen2",
        "num_attention_heads": shape.heads,
        "num_hidden_layers": shape.layers,
        "num_key_value_heads": shape.kv_heads,
        "rms_norm_eps": 1e-6,
        "rope_theta": shape.rope_theta,
        "sliding_window": shape.positions,
        "tie_word_embeddings": True,
        "torch_dtype": dtype,
        "use_cache": True,
        "use_sliding_window": False,
        "vocab_size": shape.vocab_size,
    }


def generation_config(*, end_of_text: int, end_of_turn: int) -> dict[str, object]:
    """generation_config.json: sampling defaults of the kind Qwen's chat models ship."""
    return {
        "bos_token_id": end_of_text,
        "do_sample": True,
        "eos_token_id": [end_of_turn, end_of_text],
        "pad_token_id": end_of_text,
        "repetition_penalty": 1.1,
        "temperature": 0.9,
        "top_k": 50,
        "top_p": 0.95,
    }
