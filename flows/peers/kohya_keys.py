"""Kohya's keys that need none here, those that have no counterpart and why, and the GUI's names for the same things."""

GUI = {"optimizer": "optimizer_type", "max_resolution": "resolution"}
"""the GUI's names, where they are not those of sd-scripts"""
NEEDLESS = "|".join(
    (
        "cache_latents.*|cache_text_encoder.*|vae_batch_size|xformers|sdpa|mem_eff_attn|lowram|lowvram|no_token_padding",
        "max_data_loader.*|persistent_data.*|num_cpu_threads.*|num_processes|num_machines|gpu_ids|multi_gpu|dynamo_.*",
        "save_.*|output_dir|logging_dir|log_.*|use_wandb|wandb.*|huggingface.*|async_upload|main_process_port",
        "v2|sdxl.*|model_list|no_metadata|metadata_.*|dim_from_weights|extra_accelerate.*|folders|additional_parameters",
        "sample_(sampler|every.*)|unit|LoRA_type|dataset_repeats|block_lr_zero_threshold|LyCORIS_preset|constrain",
        "multires_noise_discount|huber_c|huber_schedule|negative_sampling_method|noise_strength|contrastive_.*",
        "training_comment|caption_separator|enable_wildcard|train_on_input|full_path",
    )
)
"""what is always done here, is said elsewhere (folders, logs), or does nothing by itself"""
REASONS = {
    r"clip_skip": "the text encoder is read where the base itself reads it",
    r"train_inpainting": "bases for inpainting are not trained here",
    r"min_timestep": "all timesteps are trained",
    r"(down|mid|up)_lr_weight|block_lr.*": "blocks share a rate; `train.adapter.ranks` weakens a part, or leaves it",
    r"block_(dims|alphas)|conv_(dims|alphas|block.*)": "`train.adapter.ranks` says ranks by part of the network",
    r"full_(fp16|bf16)|fp8.*": "what is trained is always fp32; train.quantise makes a frozen base small",
    r"scale_v_pred.*|v_pred_like_loss": "there is no such weighting",
    r"caption_dropout_every_n_epochs": "captions are dropped by chance, not by epoch",
    r"token_warmup.*": "captions are whole from the first step on",
    r"validation.*": "`split.held_out` keeps whole groups of pictures back, and they are looked at on the same noise",
    r"sample_prompts": "`samples.prompts` says what is drawn",
    r"face_crop.*": "`crop` with where: subject keeps what matters in the picture",
    r"resume.*": "a run goes on by itself when the same command is given again",
    r"use_cp|use_tucker|train_norm": "neither Tucker's form nor norms are trained",
    r"lr_scheduler_args|lr_scheduler_type": "schedules of other libraries are not loaded",
    r"network_train_text_encoder_only": "the U-Net is always trained",
    r"train_text_encoder|learning_rate_te\d?": "with full training the text encoder stays frozen",
    r"(sd3|flux|t5xxl|clip_[lg]|weighting_scheme|logit_|mode_scale).*": "SD 3 and FLUX are not trained here",
    r"vae": "the base's own autoencoder is used",
    r"random_.*|.*_random_strength": "it is the same at every step here",
}
"""why a key, or all that match, was not carried over"""
